"""Names of people by country of residence, in their own spelling and script, and account numbers that check."""

from __future__ import annotations

from backoffice.demo.chance import Dice

# Country, how many clients of a hundred, first names, family names.
_PEOPLE: tuple[tuple[str, int, str, str], ...] = (
    ("DE", 9, "Anna Lukas Jürgen Sabine Björn Käthe Ulrike", "Müller Schäfer Groß Weiß Krüger Voß Bauer"),
    ("GB", 8, "Oliver Amelia Rhys Niamh George Isla", "O'Brien Smith-Jones MacLeod D'Arcy Patel Okafor"),
    ("ES", 7, "María José Íñigo Lucía Álvaro Begoña Sergio Inés", "Muñoz García Ibáñez Peña Núñez Zubiría Ordóñez Gil"),
    ("IT", 6, "Niccolò Giulia Francesco Chiara Matteo Benedetta", "D'Angelo Rossi Dell'Acqua Conti Bianchi Caffè"),
    ("FR", 6, "Élodie François Noël Maëlle Gaëtan Anaïs", "L'Hermitte Dubois Lefèvre Garçon D'Estaing Côté"),
    ("PL", 6, "Łukasz Agnieszka Zbigniew Małgorzata Paweł Żaneta", "Wójcik Kowalczyk Zieliński Śliwa Dąbrowska Łęcki"),
    ("GR", 5, "Γιώργος Ελένη Νίκος Αικατερίνη Σπύρος Ζωή", "Παπαδόπουλος Οικονόμου Γεωργίου Βλάχος Καραγιάννης"),
    ("CY", 5, "Andreas Μαρία Χρίστος Eleni Κώστας Despina", "Χαραλάμπους Christodoulou Ιωάννου Savva Neophytou"),
    ("CZ", 4, "Tomáš Eliška Jiří Kateřina Řehoř", "Dvořák Svobodová Čapek Žižka Křížová"),
    ("RO", 4, "Ștefan Ioana Răzvan Mădălina Țuțea", "Ionescu Popescu Brâncuși Țepeș Dumitrașcu"),
    ("BG", 4, "Георги Иванка Димитър Цветелина", "Стоянов Петкова Ангелов Желязкова"),
    ("SE", 3, "Åsa Göran Linnéa Örjan", "Sjöberg Åkesson Löfgren Östlund"),
    ("TR", 3, "Ayşe İsmail Gülçin Oğuz", "Yılmaz Çelik Öztürk Işık"),
    ("AE", 4, "محمد فاطمة عبد_الله مريم", "النعيمي المنصوري الشامسي"),
    ("SA", 3, "خالد نورة سلطان", "القحطاني العتيبي الدوسري"),
    ("JP", 4, "健太 美咲 翔太 由美子", "佐藤 鈴木 渡辺 小林"),
    ("CN", 3, "伟 芳 秀英 建国", "王 李 欧阳 司马"),
    ("IN", 4, "आरव Priya विक्रम Ananya", "शर्मा Iyer पटेल Mukherjee"),
    ("IL", 2, "יעל דוד נועה", "כהן לוי מזרחי"),
    ("NG", 3, "Chinwe Adébáyò Ngozi Tùndé", "Ọláníyì Eze Adeyẹmi"),
    ("BR", 3, "João Conceição Antônio Luíza", "Gonçalves Araújo da Conceição"),
    ("VN", 2, "Nguyễn Trần Phạm", "Thị_Hồng Văn_Đức Quốc_Tuấn"),
    ("UA", 2, "Олександр Наталя Євген", "Шевченко Кравець Ґоляш"),
)  # fmt: skip
_AT_HOME = 25


def person(dice: Dice, entity: str) -> tuple[str, str]:
    """Name and country of a client; every entity has more of them at home."""
    home = "GB" if entity == "UK" else "CY"
    country, _, first, family = dice.weighted([(row, row[1] + _AT_HOME * (row[0] == home)) for row in _PEOPLE])
    name = f"{dice.one(first.split())} {dice.one(family.split())}".replace("_", " ")
    return name, country


def iban(dice: Dice, country: str) -> str:
    """An account number whose check digits hold (ISO 13616), with a made-up bank in front."""
    return _checked(country, dice.digits(18))


def account(dice: Dice, country: str) -> str:
    """An account number that passes every check, its country's own form included: British, Cypriot, else German."""
    if country == "GB":
        return _checked("GB", f"NWBK601613{dice.digits(8)}")
    if country == "CY":
        return _checked("CY", f"00200195{dice.digits(16)}")
    return _checked("DE", f"10011001{dice.digits(10)}")


def _checked(country: str, own: str) -> str:
    spelled = "".join(str(int(letter, 36)) for letter in own + country + "00")
    return f"{country}{98 - int(spelled) % 97:02}{own}"
